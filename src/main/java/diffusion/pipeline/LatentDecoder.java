package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.model.Autoencoder;
import diffusion.model.VQModel;
import diffusion.model.WeightSource;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Latents to pictures one at a time, whole or in tiles that overlap by a quarter and are blended; diffusers'
 * decode of its autoencoders and AutoencoderKL.tiled_decode.
 */
final class LatentDecoder implements AutoCloseable {
    private static final double OVERLAP = 0.25;

    private record Size(int height, int width) {}

    private record Tile(Graph graph, Tensor latent, Tensor picture) {}

    /** A decoded tile [C, height, width]. */
    private record Decoded(float[] values, int height, int width) {}

    private final Autoencoder model;
    private float[] codebook = {}; // of a VQModel
    private final int height;
    private final int width;
    private final int tile;
    private final int stride;
    private final Map<Size, Tile> tiles = new LinkedHashMap<>();
    private final Program program;

    /** Compiles and loads the decoder for latents [channels, height, width]. */
    LatentDecoder(
            Backend backend, Autoencoder.Config config, WeightSource weights, int height, int width, boolean tiling) {
        model = config.model();
        this.height = height;
        this.width = width;
        int edge = config.sampleSize() / config.factor();
        boolean cut = tiling && edge > 0 && (height > edge || width > edge);
        tile = cut ? edge : Math.max(height, width);
        stride = cut ? (int) (tile * (1 - OVERLAP)) : tile;
        for (int i = 0; i < height; i += stride) {
            for (int j = 0; j < width; j += stride) {
                tiles.computeIfAbsent(size(i, j), this::record);
            }
        }
        program = backend.compile(tiles.values().stream().map(Tile::graph).toList());
        try {
            weights.load(
                    model.parameters(),
                    parameter -> tiles.values().stream()
                                    .anyMatch(t -> t.graph.tensors().contains(parameter))
                            || isCodebook(parameter),
                    this::fill);
        } catch (RuntimeException e) {
            program.close();
            throw e;
        }
    }

    /** Channels of what is decoded. */
    private int channels() {
        return model instanceof VQModel vq
                ? vq.config().vqEmbedDim()
                : model.config().latentChannels();
    }

    private boolean isCodebook(Tensor parameter) {
        return model instanceof VQModel vq && vq.codebook().equals(parameter);
    }

    private void fill(Tensor parameter, Consumer<MemorySegment> values) {
        if (isCodebook(parameter)) {
            codebook = new float[parameter.size()];
            values.accept(MemorySegment.ofArray(codebook));
        } else {
            program.fill(parameter, values);
        }
    }

    private Size size(int i, int j) {
        return new Size(Math.min(tile, height - i), Math.min(tile, width - j));
    }

    private Tile record(Size size) {
        Graph graph = new Graph("decoder " + size.height + "x" + size.width);
        Tensor latent = graph.input("latent", 1, channels(), size.height, size.width);
        return new Tile(graph, latent, graph.output(model.decode(graph, latent)));
    }

    /** A latent [channels, height, width] as the diffusion model makes it to a picture in about [-1, 1]. */
    float[] decodeScaled(float[] latent) {
        float[] values = latent.clone();
        Autoencoder.Config config = model.config();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (values[i] / config.scalingFactor() + config.shiftFactor());
        }
        return decode(values);
    }

    /** A latent [channels, height, width] that is not scaled any more to a picture in about [-1, 1]. */
    float[] decode(float[] latent) {
        int factor = model.config().factor();
        int channels = model.config().outChannels();
        float[] picture = new float[channels * height * factor * width * factor];
        int blend = (int) (tile * factor * OVERLAP);
        int limit = tile * factor - blend;
        int columns = (width + stride - 1) / stride;
        Decoded[] above = new Decoded[columns];
        for (int i = 0; i < height; i += stride) {
            Decoded left = null;
            for (int j = 0; j < width; j += stride) {
                Decoded now = decode(latent, i, j);
                int column = j / stride;
                if (i > 0) {
                    blendDown(above[column], now, blend);
                }
                if (left != null) {
                    blendAcross(left, now, blend);
                }
                above[column] = now;
                left = now;
                int keep = stride == tile ? Integer.MAX_VALUE : limit;
                place(now, picture, i / stride * limit, column * limit, keep);
            }
        }
        return picture;
    }

    private Decoded decode(float[] latent, int top, int left) {
        Size size = size(top, left);
        Tile part = java.util.Objects.requireNonNull(tiles.get(size));
        float[] cut = new float[part.latent.size()];
        int channels = channels();
        for (int c = 0; c < channels; c++) {
            for (int i = 0; i < size.height; i++) {
                int from = (c * height + top + i) * width + left;
                System.arraycopy(latent, from, cut, (c * size.height + i) * size.width, size.width);
            }
        }
        program.write(
                part.latent, model instanceof VQModel vq ? vq.quantize(cut, codebook, size.height * size.width) : cut);
        program.run(part.graph);
        return new Decoded(
                program.read(part.picture),
                size.height * model.config().factor(),
                size.width * model.config().factor());
    }

    /** The first rows of {@code b} fade in over the last rows of {@code a}. */
    private void blendDown(Decoded a, Decoded b, int wanted) {
        int extent = Math.min(Math.min(a.height, b.height), wanted);
        for (int c = 0; c < model.config().outChannels(); c++) {
            for (int y = 0; y < extent; y++) {
                float share = (float) y / extent;
                for (int x = 0; x < b.width; x++) {
                    int from = (c * a.height + a.height - extent + y) * a.width + x;
                    int to = (c * b.height + y) * b.width + x;
                    b.values[to] = a.values[from] * (1 - share) + b.values[to] * share;
                }
            }
        }
    }

    private void blendAcross(Decoded a, Decoded b, int wanted) {
        int extent = Math.min(Math.min(a.width, b.width), wanted);
        for (int c = 0; c < model.config().outChannels(); c++) {
            for (int y = 0; y < b.height; y++) {
                for (int x = 0; x < extent; x++) {
                    float share = (float) x / extent;
                    int from = (c * a.height + y) * a.width + a.width - extent + x;
                    int to = (c * b.height + y) * b.width + x;
                    b.values[to] = a.values[from] * (1 - share) + b.values[to] * share;
                }
            }
        }
    }

    private void place(Decoded tilePicture, float[] picture, int top, int left, int keep) {
        int across = width * model.config().factor();
        int down = height * model.config().factor();
        int rows = Math.min(Math.min(tilePicture.height, keep), down - top);
        int columns = Math.min(Math.min(tilePicture.width, keep), across - left);
        for (int c = 0; c < model.config().outChannels(); c++) {
            for (int y = 0; y < rows; y++) {
                System.arraycopy(
                        tilePicture.values,
                        (c * tilePicture.height + y) * tilePicture.width,
                        picture,
                        (c * down + top + y) * across + left,
                        columns);
            }
        }
    }

    @Override
    public void close() {
        program.close();
    }
}
