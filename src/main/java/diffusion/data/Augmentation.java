package diffusion.data;

import diffusion.io.DiffusionException;

/**
 * Random changes to training pictures, reproducible from (seed, epoch, index); torchvision's transforms in one pass.
 *
 * @param cropPadding a crop of the original size from the picture with a black border of this many pixels
 * @param flip whether to mirror every other picture
 * @param rotation largest angle in degrees, either way
 * @param translation largest shift as a part of the side, either way
 * @param brightness factor from [1 - b, 1 + b] on values in [0, 1]
 * @param contrast factor from [1 - c, 1 + c] on the distance to the mean grey
 * @param saturation factor from [1 - s, 1 + s] on the distance to the pixel's grey; RGB only
 */
public record Augmentation(
        int cropPadding,
        boolean flip,
        double rotation,
        double translation,
        double brightness,
        double contrast,
        double saturation) {
    /** Leaves pictures as they are. */
    public static final Augmentation NONE = new Augmentation(0, false, 0, 0, 0, 0, 0);

    /** Checks the ranges. */
    public Augmentation {
        requireRange("crop padding", cropPadding, 1024);
        requireRange("rotation", rotation, 180);
        requireRange("translation", translation, 1);
        requireRange("brightness", brightness, 1);
        requireRange("contrast", contrast, 1);
        requireRange("saturation", saturation, 1);
    }

    private static void requireRange(String name, double value, double max) {
        if (!(value >= 0 && value <= max)) {
            throw new DiffusionException(
                    "augmentation: found " + name + " " + value + ", expected 0 to " + max + "; correct it");
        }
    }

    /** Whether pictures stay as they are. */
    public boolean isNone() {
        return equals(NONE);
    }

    /** Changes the picture at {@code offset} in place: [channels, height, width], values in [-1, 1]. */
    public void apply(
            float[] image, int offset, int channels, int height, int width, long seed, long epoch, long index) {
        if (isNone()) {
            return;
        }
        // Every number is drawn whether it is used or not, so that switching one change on leaves the others alone.
        SampleRandom random = new SampleRandom(seed, epoch, index);
        int dx = random.nextInt(2 * cropPadding + 1) - cropPadding;
        int dy = random.nextInt(2 * cropPadding + 1) - cropPadding;
        boolean mirrored = random.nextDouble() < 0.5 && flip;
        double angle = Math.toRadians(random.uniform(-rotation, rotation));
        double shiftX = random.uniform(-translation, translation) * width + dx;
        double shiftY = random.uniform(-translation, translation) * height + dy;
        double bright = random.uniform(1 - brightness, 1 + brightness);
        double contrasted = random.uniform(1 - contrast, 1 + contrast);
        double saturated = random.uniform(1 - saturation, 1 + saturation);

        if (mirrored || angle != 0 || shiftX != 0 || shiftY != 0) {
            for (int c = 0; c < channels; c++) {
                warp(image, offset + c * height * width, height, width, mirrored, angle, shiftX, shiftY);
            }
        }
        if (brightness > 0 || contrast > 0 || saturation > 0) {
            jitter(image, offset, channels, height * width, bright, contrasted, channels == 3 ? saturated : 1);
        }
    }

    /** Turns about the centre, then shifts; bilinear, black outside. Exact when nothing but whole pixels move. */
    private static void warp(
            float[] image, int at, int height, int width, boolean mirrored, double angle, double dx, double dy) {
        float[] source = new float[height * width];
        System.arraycopy(image, at, source, 0, source.length);
        double cos = Math.cos(angle);
        double sin = Math.sin(angle);
        double centreX = (width - 1) / 2.0;
        double centreY = (height - 1) / 2.0;
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                double u = x - centreX - dx;
                double v = y - centreY - dy;
                double sx = cos * u + sin * v + centreX;
                double sy = -sin * u + cos * v + centreY;
                image[at + y * width + x] = bilinear(source, height, width, mirrored ? width - 1 - sx : sx, sy);
            }
        }
    }

    private static float bilinear(float[] source, int height, int width, double x, double y) {
        int x0 = (int) Math.floor(x);
        int y0 = (int) Math.floor(y);
        double fx = x - x0;
        double fy = y - y0;
        double top = (1 - fx) * pixel(source, height, width, x0, y0) + fx * pixel(source, height, width, x0 + 1, y0);
        double bottom =
                (1 - fx) * pixel(source, height, width, x0, y0 + 1) + fx * pixel(source, height, width, x0 + 1, y0 + 1);
        return (float) ((1 - fy) * top + fy * bottom);
    }

    private static float pixel(float[] source, int height, int width, int x, int y) {
        return x >= 0 && x < width && y >= 0 && y < height ? source[y * width + x] : -1;
    }

    /** Brightness, contrast, saturation, in this order. */
    private static void jitter(
            float[] image, int at, int channels, int plane, double bright, double contrast, double saturation) {
        for (int i = at; i < at + channels * plane; i++) {
            image[i] = (float) clamp((image[i] + 1) / 2.0 * bright);
        }
        double mean = 0;
        for (int i = 0; i < plane; i++) {
            mean += grey(image, at + i, channels, plane) / plane;
        }
        for (int i = at; i < at + channels * plane; i++) {
            image[i] = (float) clamp(mean + contrast * (image[i] - mean));
        }
        for (int i = at; i < at + plane; i++) {
            double grey = grey(image, i, channels, plane);
            for (int c = 0; c < channels; c++) {
                int k = i + c * plane;
                image[k] = (float) (2 * clamp(grey + saturation * (image[k] - grey)) - 1);
            }
        }
    }

    private static double grey(float[] image, int i, int channels, int plane) {
        return channels == 1 ? image[i] : 0.299 * image[i] + 0.587 * image[i + plane] + 0.114 * image[i + 2 * plane];
    }

    private static double clamp(double value) {
        return Math.clamp(value, 0.0, 1.0);
    }
}
