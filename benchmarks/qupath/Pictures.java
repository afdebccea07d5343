import java.awt.image.BufferedImage;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

import com.google.gson.Gson;

import qupath.lib.images.servers.ImageServer;
import qupath.lib.images.servers.bioformats.BioFormatsImageServer;
import qupath.lib.regions.RegionRequest;

/**
 * Pictures as QuPath reads them with Bio-Formats, without its window: {@code Pictures FILE FOLDER}.
 *
 * facts.json, and {level}.bin for the finest and the coarsest level: samples as float32, big-endian, by rows, columns, channels.
 */
public final class Pictures {
    public static void main(String[] given) throws Exception {
        Path folder = Files.createDirectories(Path.of(given[1]));
        try (ImageServer<BufferedImage> server = new BioFormatsImageServer(new File(given[0]).toURI())) {
            int last = server.nResolutions() - 1;
            Files.writeString(folder.resolve("facts.json"), new Gson().toJson(Map.of(
                "rgb", server.isRGB(),
                "type", server.getPixelType().name(),
                "levels", server.nResolutions(),
                "micrometres", server.getPixelCalibration().hasPixelSizeMicrons() ? server.getPixelCalibration().getPixelWidthMicrons() : 0.0,
                "channels", server.getMetadata().getChannels().stream().map(each -> each.getName()).toList(),
                "colours", server.getMetadata().getChannels().stream().map(each -> each.getColor() & 0xFFFFFF).toList())));
            for (int level : new int[] {0, last}) {
                var whole = RegionRequest.createInstance(server.getPath(), server.getDownsampleForResolution(level),
                    0, 0, server.getWidth(), server.getHeight());
                write(server.readRegion(whole), folder.resolve(level + ".bin"));
            }
        }
    }

    private static void write(BufferedImage picture, Path path) throws Exception {
        // Of a coloured picture the raster may hold one number a pixel; its colours are what is shown.
        var raster = picture.getRaster();
        try (var out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(path)))) {
            for (int y = 0; y < picture.getHeight(); y++)
                for (int x = 0; x < picture.getWidth(); x++)
                    for (int band = 0; band < raster.getNumBands(); band++)
                        out.writeFloat(raster.getSampleFloat(x, y, band));
        }
    }
}
