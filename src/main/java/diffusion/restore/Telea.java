package diffusion.restore;

import diffusion.io.DiffusionException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.PriorityQueue;

/**
 * Fills holes from their edge inwards, in the order of the distance to it, by means of what is known nearby (Telea 2004).
 *
 * <p>Mirrors OpenCV's INPAINT_TELEA: the weights of a mean are the paper's, and the gradients of the neighbours shift it by
 * 1.4 levels at most, as there, not by as much as the paper's equation 2 would. Neither OpenCV's rounding of every pixel,
 * half a level up, nor what it does at the edge of a picture is repeated: what lies beyond is not known.
 */
public final class Telea {
    private static final int[][] STEPS = {{-1, 0}, {0, -1}, {1, 0}, {0, 1}};
    private static final float FAR = 1e6f;
    private static final double LEAST = 1e-6; // for a neighbour that does not lie in the direction of the march

    private record Place(int row, int column, float distance, int order) {}

    private final int channels;
    private final int height;
    private final int width;
    private final int radius;
    private final double level;
    private final float[] picture;
    private final float[] distance; // to the edge of the hole, negative outside of it; ties are those of floats

    private Telea(float[] picture, int channels, int height, int width, int radius, double level) {
        this.picture = picture;
        this.channels = channels;
        this.height = height;
        this.width = width;
        this.radius = radius;
        this.level = level;
        distance = new float[height * width];
        Arrays.fill(distance, FAR);
    }

    /**
     * Fills the holes of a picture.
     *
     * @param y [channels, height, width]
     * @param known [height, width]; where false, y is not read
     * @param radius of the neighbourhood in pixels, from 1; the paper has 3 to 10
     * @param level a level of 255 in the units of y
     */
    public static float[] inpaint(
            float[] y, boolean[] known, int channels, int height, int width, int radius, double level) {
        boolean[] unknown = new boolean[known.length];
        boolean any = false;
        for (int i = 0; i < known.length; i++) {
            unknown[i] = !known[i];
            any |= known[i];
        }
        if (!any) {
            throw new DiffusionException("found all of " + known.length + " pixels unknown, expected some known");
        }
        Telea telea = new Telea(y.clone(), channels, height, width, radius, level);
        boolean[] edge = telea.edge(known);
        telea.march(edge, unknown, false);
        for (int i = 0; i < known.length; i++) {
            telea.distance[i] = edge[i] ? 0 : -telea.distance[i];
        }
        telea.march(edge, known.clone(), true);
        return telea.picture;
    }

    /** Known pixels beside unknown ones. */
    private boolean[] edge(boolean[] known) {
        boolean[] edge = new boolean[known.length];
        for (int i = 0; i < edge.length; i++) {
            for (int[] step : STEPS) {
                int row = i / width + step[0];
                int column = i % width + step[1];
                edge[i] |= known[i] && inside(row, column) && !known[row * width + column];
            }
        }
        return edge;
    }

    /**
     * Goes from the edge to where it has not been, the nearest first, and notes how far it is.
     *
     * @param done where it has been, or need not go; the edge too
     */
    private void march(boolean[] edge, boolean[] done, boolean fill) {
        PriorityQueue<Place> front =
                new PriorityQueue<>(Comparator.comparingDouble(Place::distance).thenComparingInt(Place::order));
        int order = 0;
        for (int i = 0; i < edge.length; i++) {
            if (edge[i]) {
                done[i] = true;
                distance[i] = 0;
                front.add(new Place(i / width, i % width, 0, order++));
            }
        }
        for (Place place = front.poll(); place != null; place = front.poll()) {
            for (int[] step : STEPS) {
                int row = place.row + step[0];
                int column = place.column + step[1];
                if (isDone(done, row, column, true)) {
                    continue;
                }
                int at = row * width + column;
                distance[at] = arrival(done, row, column);
                if (fill) {
                    fill(done, row, column);
                }
                done[at] = true;
                front.add(new Place(row, column, distance[at], order++));
            }
        }
    }

    private boolean inside(int row, int column) {
        return row >= 0 && row < height && column >= 0 && column < width;
    }

    private boolean isDone(boolean[] done, int row, int column, boolean beyond) {
        return inside(row, column) ? done[row * width + column] : beyond;
    }

    /** The least solution of |grad T| = 1 from one neighbour above or below and one at a side. */
    private float arrival(boolean[] done, int row, int column) {
        double least = FAR;
        for (int down = -1; down <= 1; down += 2) {
            for (int right = -1; right <= 1; right += 2) {
                double a = isDone(done, row + down, column, false) ? distance[(row + down) * width + column] : FAR;
                double b = isDone(done, row, column + right, false) ? distance[row * width + column + right] : FAR;
                double apart = a - b;
                least = Math.min(
                        least, Math.abs(apart) >= 1 ? 1 + Math.min(a, b) : (a + b + Math.sqrt(2 - apart * apart)) / 2);
            }
        }
        return (float) least;
    }

    /** The weighted mean of what is known within the radius, section 2.4 of the paper. */
    private void fill(boolean[] done, int row, int column) {
        int at = row * width + column;
        double marchDown = slope(done, row, column, width, 1, c -> distance[c]);
        double marchRight = slope(done, row, column, 1, 1, c -> distance[c]);
        double[] mean = new double[channels];
        double[] shiftDown = new double[channels];
        double[] shiftRight = new double[channels];
        double sum = 0;
        for (int k = row - radius; k <= row + radius; k++) {
            for (int l = column - radius; l <= column + radius; l++) {
                int down = row - k;
                int right = column - l;
                int squared = down * down + right * right;
                if (squared > radius * radius || !isDone(done, k, l, false)) {
                    continue;
                }
                double direction = Math.abs(down * marchDown + right * marchRight);
                double weight = (direction <= 0.01 ? LEAST : direction)
                        / (squared * Math.sqrt(squared))
                        / (1 + Math.abs(distance[k * width + l] - distance[at]));
                sum += weight;
                for (int c = 0; c < channels; c++) {
                    int plane = c * height * width;
                    mean[c] += weight * picture[plane + k * width + l];
                    shiftDown[c] += weight * down * slope(done, k, l, width, 4, i -> picture[plane + i]);
                    shiftRight[c] += weight * right * slope(done, k, l, 1, 4, i -> picture[plane + i]);
                }
            }
        }
        for (int c = 0; c < channels; c++) {
            double length = Math.hypot(shiftDown[c], shiftRight[c]);
            double shift = length == 0 ? 0 : level * (shiftDown[c] + shiftRight[c]) / length;
            picture[c * height * width + at] = (float) (mean[c] / sum + shift);
        }
    }

    /** The values by place of which {@link #slope} is asked. */
    @FunctionalInterface
    private interface Values {
        double at(int place);
    }

    /** Half the difference of both neighbours (times {@code factor}), or the difference to the one that is known. */
    private double slope(boolean[] done, int row, int column, int stride, int factor, Values values) {
        int at = row * width + column;
        int down = stride == 1 ? 0 : 1;
        boolean before = isDone(done, row - down, column - 1 + down, false);
        boolean after = isDone(done, row + down, column + 1 - down, false);
        if (before && after) {
            return factor * (values.at(at + stride) - values.at(at - stride)) / 2;
        }
        if (after) {
            return values.at(at + stride) - values.at(at);
        }
        return before ? values.at(at) - values.at(at - stride) : 0;
    }
}
