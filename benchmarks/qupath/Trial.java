import java.awt.image.BufferedImage;
import java.awt.image.WritableRaster;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import javax.imageio.ImageIO;

import org.locationtech.jts.algorithm.locate.IndexedPointInAreaLocator;
import org.locationtech.jts.geom.Coordinate;
import org.locationtech.jts.geom.Location;

import com.google.gson.Gson;

import qupath.lib.awt.common.BufferedImageTools;
import qupath.lib.common.ColorTools;
import qupath.lib.geom.Point2;
import qupath.lib.io.PathIO;
import qupath.lib.io.PathIO.GeoJsonExportOptions;
import qupath.lib.objects.PathObject;
import qupath.lib.objects.PathObjects;
import qupath.lib.objects.classes.PathClass;
import qupath.lib.objects.hierarchy.PathObjectHierarchy;
import qupath.lib.regions.ImagePlane;
import qupath.lib.roi.ROIs;
import qupath.lib.roi.RoiTools;
import qupath.lib.roi.interfaces.ROI;

/**
 * QuPath's own reader, writer and rasteriser without its window: {@code Trial read|edit FILE WIDTH HEIGHT FOLDER}.
 *
 * read: objects.json, what QuPath keeps of each object, and pixels: {class}.png, centres_{class}.png.
 * edit: the file read, changed as a user would, and written with every option of the export dialog; drawn_{class}.png.
 */
public final class Trial {
    private static final ImagePlane PLANE = ImagePlane.getDefaultPlane();

    public static void main(String[] given) throws Exception {
        int width = Integer.parseInt(given[2]), height = Integer.parseInt(given[3]);
        Path folder = Files.createDirectories(Path.of(given[4]));
        List<PathObject> objects = PathIO.readObjects(new File(given[1]));
        if (given[0].equals("edit")) {
            Collection<PathObject> edited = inHierarchy(edited(objects, width, height));
            write(edited, folder);
            masks(edited, width, height, folder, "drawn_");
            PathObject whole = area(ROIs.createRectangleROI(0, 0, width, height, PLANE), "reviewed: negative");
            PathIO.exportObjectsAsGeoJSON(folder.resolve("negative.geojson"), List.of(whole), GeoJsonExportOptions.FEATURE_COLLECTION);
            PathIO.exportObjectsAsGeoJSON(folder.resolve("negative_feature.geojson"), List.of(whole));
        } else {
            Files.writeString(folder.resolve("objects.json"), new Gson().toJson(objects.stream().map(Trial::facts).toList()));
            masks(objects, width, height, folder, "");
        }
    }

    private static Map<String, Object> facts(PathObject object) {
        Integer colour = object.getPathClass() == null ? null : object.getPathClass().getColor();
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("kind", object.getClass().getSimpleName());
        found.put("roi", object.getROI().getRoiName());
        found.put("class", name(object));
        found.put("colour", colour == null ? List.of() : List.of(ColorTools.red(colour), ColorTools.green(colour), ColorTools.blue(colour)));
        found.put("area", object.getROI().getArea());
        found.put("valid", object.getROI().getGeometry().isValid());
        found.put("measurements", object.getMeasurements());
        found.put("metadata", object.getMetadata());
        return found;
    }

    private static String name(PathObject object) {
        return object.getPathClass() == null ? "" : object.getPathClass().toString();
    }

    /** The classes' pixels: as QuPath fills masks, and those whose centre JTS finds inside (255) or on the border (128). */
    private static void masks(Collection<PathObject> objects, int width, int height, Path folder, String prefix) throws Exception {
        Map<String, BufferedImage> found = new LinkedHashMap<>();
        for (PathObject object : objects) {
            ROI roi = object.getROI();
            if (!roi.isArea())
                continue;
            var filled = raster(found, prefix + name(object), width, height);
            var exact = raster(found, "centres_" + prefix + name(object), width, height);
            var inside = new IndexedPointInAreaLocator(roi.getGeometry());
            int x = (int) Math.floor(roi.getBoundsX()), y = (int) Math.floor(roi.getBoundsY());
            int w = (int) Math.ceil(roi.getBoundsWidth()) + 2, h = (int) Math.ceil(roi.getBoundsHeight()) + 2;
            var own = BufferedImageTools.createROIMask(w, h, roi, x, y, 1).getRaster();
            for (int row = Math.max(0, y); row < Math.min(y + h, height); row++)
                for (int column = Math.max(0, x); column < Math.min(x + w, width); column++) {
                    int where = inside.locate(new Coordinate(column + 0.5, row + 0.5));
                    int value = where == Location.INTERIOR ? 255 : where == Location.BOUNDARY ? 128 : 0;
                    exact.setSample(column, row, 0, Math.max(value, exact.getSample(column, row, 0)));
                    filled.setSample(column, row, 0, Math.max(own.getSample(column - x, row - y, 0), filled.getSample(column, row, 0)));
                }
        }
        for (var each : found.entrySet())
            ImageIO.write(each.getValue(), "png", folder.resolve(each.getKey().replace(": ", "_") + ".png").toFile());
    }

    private static WritableRaster raster(Map<String, BufferedImage> found, String name, int width, int height) {
        return found.computeIfAbsent(name, key -> new BufferedImage(width, height, BufferedImage.TYPE_BYTE_GRAY)).getRaster();
    }

    /** A user's hour: deletions, a change of class, an ellipse, the brush, the polygon tool, and what is no area. */
    private static List<PathObject> edited(List<PathObject> read, int width, int height) {
        List<PathObject> kept = new ArrayList<>();
        for (int at = 0; at < read.size(); at++)
            if (at % 5 != 4)
                kept.add(read.get(at));
        String first = name(kept.get(0)), last = name(kept.get(kept.size() - 1));
        kept.get(0).setPathClass(kept.get(kept.size() - 1).getPathClass());
        double x = width / 2.0, y = height / 2.0, r = height / 20.0;
        kept.add(area(ROIs.createEllipseROI(x + 0.3, y + 0.7, 2.31 * r, 1.17 * r, PLANE), first));
        List<ROI> strokes = new ArrayList<>();
        for (int at = 0; at < 9; at++)
            strokes.add(ROIs.createEllipseROI(x - 5.2 * r + at * 0.41 * r, y - 3 * r + 0.3 * r * Math.sin(at), r, r, PLANE));
        ROI hole = ROIs.createEllipseROI(x - 4 * r, y - 2.7 * r, 0.5 * r, 0.4 * r, PLANE);
        ROI island = ROIs.createEllipseROI(x + 3 * r, y - 4 * r, 0.6 * r, 0.6 * r, PLANE);
        PathObject brush = area(RoiTools.union(RoiTools.subtract(RoiTools.union(strokes), hole), island), last);
        brush.setName("drawn by hand: µm");
        brush.setLocked(true);
        kept.add(brush);
        kept.add(area(ROIs.createPolygonROI(  // crosses itself
            new double[] {x, x + 2 * r, x, x + 2 * r}, new double[] {y + 3 * r, y + 5.03 * r, y + 5.01 * r, y + 3.02 * r}, PLANE), last));
        kept.add(area(ROIs.createRectangleROI(width - 1.5 * r, height - r, 3 * r, 3 * r, PLANE), first));  // reaches out
        kept.add(area(ROIs.createLineROI(x, y, x + r, y + r, PLANE), first));
        kept.add(area(ROIs.createPointsROI(List.of(new Point2(x, y), new Point2(x + 5, y)), PLANE), first));
        kept.add(PathObjects.createAnnotationObject(ROIs.createRectangleROI(5, 5, r, r, PLANE)));  // no class
        return kept;
    }

    private static PathObject area(ROI roi, String name) {
        return PathObjects.createAnnotationObject(roi, PathClass.fromString(name));
    }

    /** As the export dialog collects all objects. */
    private static Collection<PathObject> inHierarchy(List<PathObject> objects) {
        PathObjectHierarchy hierarchy = new PathObjectHierarchy();
        hierarchy.addObjects(objects);
        hierarchy.resolveHierarchy();
        return hierarchy.getObjects(null, null).stream().filter(each -> !each.isRootObject()).toList();
    }

    private static void write(Collection<PathObject> objects, Path folder) throws Exception {
        var pretty = GeoJsonExportOptions.PRETTY_JSON;
        var collection = GeoJsonExportOptions.FEATURE_COLLECTION;
        var bare = GeoJsonExportOptions.EXCLUDE_MEASUREMENTS;
        PathIO.exportObjectsAsGeoJSON(folder.resolve("collection.geojson"), objects, collection);
        PathIO.exportObjectsAsGeoJSON(folder.resolve("collection_pretty.geojson"), objects, collection, pretty);
        PathIO.exportObjectsAsGeoJSON(folder.resolve("collection_bare.geojson"), objects, collection, bare);
        PathIO.exportObjectsAsGeoJSON(folder.resolve("array.geojson"), objects);
        PathIO.exportObjectsAsGeoJSON(folder.resolve("array_pretty.geojson"), objects, pretty);
        PathIO.exportObjectsAsGeoJSON(folder.resolve("zipped.zip"), objects, collection);
        PathIO.exportObjectsAsGeoJSON(folder.resolve("zipped.geojson.gz"), objects, collection);
    }
}
