package diffusion.restore;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.model.DenoisingModel;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.PredictionType;
import diffusion.scheduler.Scheduler;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * What a pixel-space diffusion model knows of clean pictures, as the mean E[x0 | x0 + sigma eps] of what a noisy picture may
 * be (Tweedie's formula; Ho et al. 2020, equation 15).
 *
 * <p>Noise is measured against a signal of scale 1: sigma^2 = (1 - alphaBar) / alphaBar, in units of pictures in [-1, 1]. The
 * model sees a fractional timestep where sigma lies between two of its own. Pictures of other sizes than the model's are
 * cut into {@link Tiles}; a model of one channel takes the channels of colour pictures one by one, a model of three takes
 * grey three times.
 */
public final class PixelPrior implements AutoCloseable {
    private final DenoisingModel model;
    private final PredictionType prediction;
    private final double[] logSigma; // by timestep, rising
    private final int size;
    private final int batch;
    private final Graph graph = new Graph("denoiser");
    private final Tensor sample; // [B, C, S, S]
    private final Tensor timestep; // [B]
    private final Tensor answer; // [B, C or 2C, S, S]
    private final Program program;
    private final BooleanSupplier cancelled;
    private final IntConsumer progress;

    /**
     * Compiles and loads a model, which must be unconditional or know the absence of a class.
     *
     * @param batch squares computed together
     * @param cancelled asked before every batch
     * @param progress told the squares of every batch when it is done
     */
    public PixelPrior(LoadedModel loaded, Backend backend, int batch, BooleanSupplier cancelled, IntConsumer progress) {
        model = loaded.model();
        this.batch = batch;
        this.cancelled = cancelled;
        this.progress = progress;
        size = model.sampleSize();
        boolean conditional = model.classes() > 0;
        if (conditional && loaded.nullClass() < 0) {
            throw new DiffusionException("--model: expected an unconditional model or one trained with class dropout,"
                    + " found " + loaded.name() + ", which always follows a class; train one with class_dropout");
        }
        if (loaded.firstStage() != null) {
            throw new DiffusionException(
                    "--model: expected a model of pixels, found one of an autoencoder's latents in " + loaded.name()
                            + "; restoration works on pixels");
        }
        if (size == 0) {
            throw new DiffusionException("--model: expected a sample_size in the config.json of " + loaded.name()
                    + ", found none; add the size it was trained on");
        }
        Scheduler scheduler = loaded.scheduler(null);
        prediction = scheduler.predictionType();
        if (prediction == PredictionType.FLOW_PREDICTION) {
            throw new DiffusionException("--model: expected prediction_type epsilon, sample or v_prediction, found"
                    + " flow_prediction in " + loaded.name() + "; flow models cannot restore yet");
        }
        float[] alphaBar = scheduler.noise().alphasCumprod();
        logSigma = new double[alphaBar.length];
        for (int t = 0; t < alphaBar.length; t++) {
            logSigma[t] = 0.5 * Math.log((1 - (double) alphaBar[t]) / alphaBar[t]);
        }
        sample = graph.input("sample", batch, model.inChannels(), size, size);
        timestep = graph.input("timestep", batch);
        @Nullable Tensor labels = conditional ? graph.input("class_labels", batch) : null;
        answer = graph.output(model.apply(graph, sample, timestep, labels));
        program = backend.compile(List.of(graph));
        loaded.load(program::fill);
        if (labels != null) {
            float[] none = new float[batch];
            Arrays.fill(none, loaded.nullClass());
            program.write(labels, none);
        }
    }

    /** The timestep, between whole ones if need be, at which noise has the deviation sigma; the nearest the model has. */
    public double timestep(double sigma) {
        double wanted = Math.log(sigma);
        int low = 0;
        int high = logSigma.length - 1;
        if (!(wanted > logSigma[low])) {
            return low;
        }
        if (wanted >= logSigma[high]) {
            return high;
        }
        while (high - low > 1) {
            int middle = (low + high) / 2;
            if (logSigma[middle] <= wanted) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low + (wanted - logSigma[low]) / (logSigma[high] - logSigma[low]);
    }

    /** The deviation of the noise at a timestep, which may lie between whole ones. */
    public double sigma(double t) {
        int low = Math.clamp((int) t, 0, logSigma.length - 2);
        return Math.exp(logSigma[low] + (t - low) * (logSigma[low + 1] - logSigma[low]));
    }

    /** Model calls for one denoising of pictures of this shape, a square each. */
    public int calls(int count, int channels, int height, int width) {
        int units = channels == model.inChannels() ? count : count * channels;
        return units * new Tiles(height, width, size).count();
    }

    /**
     * The mean of the clean pictures behind noisy ones.
     *
     * @param x clean pictures plus Gaussian noise
     * @param sigma the deviation of the noise, one for all pictures or one for each
     */
    public Pictures denoise(Pictures x, double... sigma) {
        int own = model.inChannels();
        int planes = x.count() * x.channels();
        // A unit is what the model takes at once: a picture, or one plane of it if their channels differ.
        int units = x.channels() == own ? x.count() : planes;
        int taken = planes / units; // planes a unit
        int plane = x.height() * x.width();
        Tiles tiles = new Tiles(x.height(), x.width(), size);
        int square = size * size;
        float[] squares = new float[units * tiles.count() * own * square]; // [unit, tile, own, S, S]
        for (int i = 0; i < units * tiles.count() * own; i++) {
            int unit = i / own / tiles.count();
            int channel = taken == own ? i % own : 0;
            tiles.cut(x.values(), (unit * taken + channel) * plane, i / own % tiles.count(), squares, i * square);
        }
        double[] each = new double[units * tiles.count()];
        for (int i = 0; i < each.length; i++) {
            each[i] = sigma.length == 1 ? sigma[0] : sigma[i / tiles.count() * x.count() / units];
        }
        run(squares, own * square, each);
        if (taken != own) {
            average(squares, own, square);
        }
        float[] out = new float[x.values().length];
        for (int p = 0; p < planes; p++) {
            int at = (p / taken * tiles.count() * own + p % taken) * square;
            tiles.blend(squares, at, own * square, out, p * plane);
        }
        return x.with(out);
    }

    /** Grey that a colour model answered as three channels: their mean in the first. */
    private static void average(float[] squares, int own, int square) {
        for (int i = 0; i < squares.length / (own * square); i++) {
            for (int k = 0; k < square; k++) {
                float sum = 0;
                for (int c = 0; c < own; c++) {
                    sum += squares[(i * own + c) * square + k];
                }
                squares[i * own * square + k] = sum / own;
            }
        }
    }

    /** Replaces every unit of {@code elements} values, x0 + sigma eps, by the model's x0. */
    private void run(float[] units, int elements, double[] sigma) {
        float[] in = new float[batch * elements];
        float[] times = new float[batch];
        float[] out = new float[answer.size()];
        int stride = out.length / batch; // twice the elements if the variance is learned
        for (int start = 0; start < sigma.length; start += batch) {
            if (cancelled.getAsBoolean()) {
                throw new CancellationException("stopped");
            }
            int count = Math.min(batch, sigma.length - start);
            for (int n = 0; n < count; n++) {
                double s = sigma[start + n];
                times[n] = (float) timestep(s);
                for (int i = 0; i < elements; i++) {
                    in[n * elements + i] = (float) (units[(start + n) * elements + i] / Math.sqrt(1 + s * s));
                }
            }
            program.write(timestep, times);
            program.write(sample, in);
            program.run(graph);
            program.read(answer, out);
            for (int i = 0; i < count * elements; i++) {
                double s = sigma[start + i / elements];
                float m = out[i / elements * stride + i % elements];
                int at = start * elements + i;
                units[at] = (float)
                        switch (prediction) {
                            case EPSILON -> units[at] - s * m;
                            case V_PREDICTION -> (in[i] - s * m) / Math.sqrt(1 + s * s);
                            default -> m;
                        };
            }
            progress.accept(count);
        }
    }

    @Override
    public void close() {
        program.close();
    }
}
