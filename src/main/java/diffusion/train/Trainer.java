package diffusion.train;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.data.BatchSampler;
import diffusion.data.Dataset;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.io.DiffusionException;
import diffusion.model.DenoisingModel;
import diffusion.model.Models;
import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.PredictionType;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.scheduler.TorchRandom;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Trains a denoising model (Ho et al. 2020, algorithm 1) with a moving average of its weights.
 *
 * <p>What step s draws depends on (seed, s) alone, so weights, optimiser and average after s steps are a function of the
 * configuration and the data: a run that was killed and resumed ends in the same bytes.
 */
public final class Trainer implements AutoCloseable {
    /** What a step found; {@code terms} are parts of the loss by name, without their weights. */
    public record Report(long step, double loss, double gradientNorm, double learningRate, Map<String, Double> terms) {}

    private final TrainConfig config;
    private final Dataset data;
    private final DenoisingModel model;
    private final DenoisingModel average;
    private final Scheduler scheduler;
    private final PictureTerms pictures;
    private final TrainingGraphs graphs;
    private final Program program;
    private final BatchSampler sampler;
    private long step;

    /**
     * Compiles the training of a new model.
     *
     * @param more further graphs to compile along, made from the averaged model, such as one to sample with
     */
    public Trainer(TrainConfig config, Dataset data, Backend backend, Function<DenoisingModel, List<Graph>> more) {
        this.config = config;
        this.data = data;
        model = Models.fromConfig(config.model(), "model");
        average = Models.fromConfig(config.model(), "model");
        scheduler = SchedulerFactory.create(SchedulerConfig.of(config.scheduler(), "scheduler"));
        requireFit();
        pictures = PictureTerms.of(config, model.inChannels());
        graphs = new TrainingGraphs(model, average, config, pictures);
        List<Graph> all = new ArrayList<>(List.of(graphs.loss, graphs.update));
        all.addAll(more.apply(average));
        program = backend.compile(all);
        graphs.loss.constants().forEach(program::write);
        pictures.load(program);
        sampler = new BatchSampler(data.size(), config.batchSize(), config.seed());
        TorchRandom random = new TorchRandom(config.seed());
        Models.initialize(model.parameters(), Models.RandomSource.of(random::uniform, random::normal), program::write);
    }

    private void requireFit() {
        int classes = data.classNames().size();
        int needed = config.classDropout() > 0 ? classes + 1 : classes;
        if (model.classes() > 0 && model.classes() < needed) {
            throw new DiffusionException("model.num_class_embeds: expected at least " + needed + " for " + classes
                    + " classes" + (config.classDropout() > 0 ? " and one for no class" : "") + ", found "
                    + model.classes());
        }
        if (data.channels() != model.inChannels() || data.height() != config.size() || data.width() != config.size()) {
            throw new DiffusionException("expected pictures of %d x %d x %d, found %d x %d x %d in the data"
                    .formatted(
                            model.inChannels(),
                            config.size(),
                            config.size(),
                            data.channels(),
                            data.height(),
                            data.width()));
        }
        if (config.classDropout() > 0 && model.classes() == 0) {
            throw new DiffusionException("class_dropout: expected 0 for an unconditional model, found "
                    + config.classDropout() + "; set model.num_class_embeds");
        }
    }

    /** The label that stands for no class, or -1 if none was trained. */
    public int nullClass() {
        return config.classDropout() > 0 ? model.classes() - 1 : -1;
    }

    /** Steps done. */
    public long step() {
        return step;
    }

    /** The model with averaged weights. */
    public DenoisingModel average() {
        return average;
    }

    /** The forward process. */
    public Scheduler scheduler() {
        return scheduler;
    }

    /** The program, for graphs that were compiled along. */
    public Program program() {
        return program;
    }

    /**
     * Does one step: {@code accumulation} micro-batches, then one update.
     *
     * @throws DiffusionException if the loss is no longer a number
     */
    public Report advance() {
        RandomSource random = new TorchRandom(mix(config.seed(), step));
        double loss = 0;
        Map<String, Double> terms = new LinkedHashMap<>();
        for (int i = 0; i < config.accumulation(); i++) {
            writeBatch(random);
            program.run(graphs.loss);
            loss += program.read(graphs.value)[0] / config.accumulation();
            pictures.values.forEach((name, term) ->
                    terms.merge(name, program.read(term)[0] / (double) config.accumulation(), Double::sum));
        }
        if (!Double.isFinite(loss)) {
            throw new DiffusionException("the loss is " + loss + " at step " + step
                    + "; lower learning_rate, set max_norm, or lengthen warmup_steps");
        }
        double learningRate = config.learningRate(step);
        step++;
        program.write(graphs.hyper, hyper(learningRate));
        program.write(graphs.emaDecay, new float[] {(float) config.emaDecay(step)});
        program.run(graphs.update);
        double norm = program.read(graphs.norm)[0] / config.accumulation();
        return new Report(step, loss, norm, learningRate, terms);
    }

    private void writeBatch(RandomSource random) {
        int batch = config.batchSize();
        int elements = data.elements();
        BatchSampler.Batch next = sampler.next();
        float[] clean = new float[batch * elements];
        float[] labels = new float[batch];
        for (int n = 0; n < batch; n++) {
            int index = next.indices()[n];
            data.read(index, clean, n * elements);
            labels[n] = data.label(index);
            config.augmentation()
                    .apply(
                            clean,
                            n * elements,
                            data.channels(),
                            data.height(),
                            data.width(),
                            config.seed(),
                            next.epoch(),
                            index);
        }
        NoiseSchedule schedule = scheduler.noise();
        long[] timesteps = new long[batch];
        random.integers(0, schedule.length(), timesteps);
        float[] noise = new float[clean.length];
        random.normal(noise);
        float[] drops = new float[batch];
        random.uniform(drops);
        for (int n = 0; n < batch; n++) {
            if (drops[n] < config.classDropout()) {
                labels[n] = nullClass();
            }
        }
        write(clean, noise, timesteps, labels);
        if (graphs.dropoutSeed != null) {
            float[] seed = new float[1];
            random.uniform(seed);
            program.write(graphs.dropoutSeed, new float[] {(float) Math.floor(seed[0] * 0x1p20f)});
        }
    }

    /** Hands a micro-batch with its noise, timesteps and labels to the program. */
    private void write(float[] clean, float[] noise, long[] timesteps, float[] labels) {
        int batch = timesteps.length;
        PredictionType type = scheduler.predictionType();
        NoiseSchedule schedule = scheduler.noise();
        float[] mix = new float[2 * batch];
        float[] target = new float[2 * batch];
        float[] times = new float[batch];
        float[] weights = new float[batch];
        for (int n = 0; n < batch; n++) {
            int t = (int) timesteps[n];
            times[n] = t;
            put(mix, n, schedule.addNoise(t));
            put(target, n, schedule.target(t, type));
            weights[n] = config.minSnrGamma() > 0 ? (float) schedule.minSnrWeight(t, type, config.minSnrGamma()) : 1;
        }
        program.write(graphs.clean, clean);
        program.write(graphs.noise, noise);
        program.write(graphs.timestep, times);
        program.write(graphs.mix, mix);
        program.write(graphs.targetMix, target);
        program.write(graphs.weight, weights);
        if (graphs.labels != null) {
            program.write(graphs.labels, labels);
        }
        pictures.write(program, schedule, type, timesteps);
        if (graphs.vlb != null) {
            writeBound(graphs.vlb, timesteps, type);
        }
    }

    private static void put(float[] pairs, int n, NoiseSchedule.Mix mix) {
        pairs[2 * n] = mix.sample();
        pairs[2 * n + 1] = mix.noise();
    }

    /** Posterior means as sums of x_t and x0, with x0 = px x_t + pm m for the model's own. */
    private void writeBound(TrainingGraphs.Vlb vlb, long[] timesteps, PredictionType type) {
        int batch = timesteps.length;
        float[] mean = new float[2 * batch];
        float[] trueMean = new float[2 * batch];
        float[] variance = new float[4 * batch];
        for (int n = 0; n < batch; n++) {
            int t = (int) timesteps[n];
            NoiseSchedule.Posterior posterior = scheduler.noise().posterior(t);
            NoiseSchedule.Mix mix = scheduler.noise().addNoise(t);
            double px = type.sampleFactor(mix.sample());
            double pm = type.outputFactor(mix.sample(), mix.noise());
            mean[2 * n] = (float) (posterior.xCoefficient() + posterior.x0Coefficient() * px);
            mean[2 * n + 1] = (float) (posterior.x0Coefficient() * pm);
            trueMean[2 * n] = (float) posterior.xCoefficient();
            trueMean[2 * n + 1] = (float) posterior.x0Coefficient();
            variance[4 * n] = (float) posterior.logVariance();
            variance[4 * n + 1] = (float) posterior.logVariance();
            variance[4 * n + 2] = (float) posterior.logBeta();
            variance[4 * n + 3] = t == 0 ? 1 : 0;
        }
        program.write(vlb.mean(), mean);
        program.write(vlb.trueMean(), trueMean);
        program.write(vlb.variance(), variance);
    }

    private float[] hyper(double learningRate) {
        float[] hyper = new float[OptimizerStep.HYPER_SIZE];
        hyper[OptimizerStep.LR] = (float) learningRate;
        hyper[OptimizerStep.BETA1] = (float) config.beta1();
        hyper[OptimizerStep.BETA2] = (float) config.beta2();
        hyper[OptimizerStep.EPS] = (float) config.eps();
        hyper[OptimizerStep.DECAY] = (float) config.weightDecay();
        hyper[OptimizerStep.CORRECTION1] = (float) (1 - Math.pow(config.beta1(), (double) step));
        hyper[OptimizerStep.CORRECTION2] = (float) (1 - Math.pow(config.beta2(), (double) step));
        hyper[OptimizerStep.GRAD_SCALE] = 1f / config.accumulation();
        hyper[OptimizerStep.MAX_NORM] = (float) config.maxNorm();
        return hyper;
    }

    /** A seed for one step, from splitmix64's finaliser, so that neighbouring steps have unrelated streams. */
    private static long mix(long seed, long step) {
        long z = seed * 0x9E3779B97F4A7C15L + step + 0x632BE59BD9B4E019L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** Every tensor a checkpoint must hold, by name: weights, moving average, optimiser states. */
    Map<String, Tensor> tensors() {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        model.parameters().all().forEach(parameter -> tensors.put("model." + parameter.name(), parameter));
        tensors.putAll(graphs.states);
        return tensors;
    }

    /** The configuration. */
    public TrainConfig config() {
        return config;
    }

    /** Goes on after {@code done} steps; the tensors must have been written. */
    void resumeAt(long done) {
        step = done;
        long batches = done * config.accumulation();
        long perEpoch = sampler.batchesPerEpoch();
        sampler.restore(batches / perEpoch, (int) (batches % perEpoch) * config.batchSize());
    }

    @Override
    public void close() {
        program.close();
    }
}
