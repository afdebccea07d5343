"""Image formats: JPEG, PNG, TIFF and slides, each decoded box by box and strictly."""
