package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.get;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** The step of a sampler; parallel over samples. */
final class Sampling {
    private final long x;
    private final long m;
    private final long z;
    private final long c;
    private final long x0Out;
    private final long[] history;
    private final int size;
    private final int modelSize;
    private final int samples;
    private final Scratch scratch;

    private Sampling(CpuEmitter out, SamplerStep op) {
        x = out.address(op.x());
        m = out.address(op.m());
        z = out.address(op.z());
        c = out.address(op.c());
        x0Out = op.x0Out() == null ? 0 : out.address(op.x0Out());
        history = op.history().stream().mapToLong(out::address).toArray();
        samples = op.x().dim(0);
        size = op.x().sizeFrom(1);
        modelSize = op.m().sizeFrom(1);
        scratch = out.scratch();
        scratch.reserveWorker(size + LANES);
    }

    static void emit(CpuEmitter out, SamplerStep op) {
        Sampling step = new Sampling(out, op);
        out.step((worker, workers) -> {
            int last = Crew.from(step.samples, worker + 1, workers);
            for (int n = Crew.from(step.samples, worker, workers); n < last; n++) {
                step.sample(n, step.scratch.worker());
            }
        });
        for (Tensor state : op.writes()) {
            out.changes(state);
        }
    }

    private float coefficient(int index) {
        return get(c + 4L * index);
    }

    private void sample(int n, long clean) {
        long at = (long) n * size * Float.BYTES;
        long model = m + (long) n * modelSize * Float.BYTES;
        predict(clean, x + at, model);
        if (coefficient(SamplerStep.THRESHOLD_RATIO) > 0) {
            threshold(clean);
        }
        float noise = coefficient(SamplerStep.NOISE);
        float fromModel = coefficient(SamplerStep.CM);
        if (coefficient(SamplerStep.VARIANCE) == 3) {
            float length = langevin();
            fromModel *= length;
            noise *= (float) Math.sqrt(2 * length);
        }
        boolean push = coefficient(SamplerStep.PUSH) != 0 && history.length > 0;
        for (int i = 0; i < size; i += LANES) {
            VectorMask<Float> mask = Reductions.mask(size - i);
            long o = 4L * i;
            FloatVector old = load(x + at + o, mask);
            FloatVector sum = FloatVector.zero(SPECIES);
            sum = term(sum, coefficient(SamplerStep.CX), old);
            sum = term(sum, fromModel, load(model + o, mask));
            sum = term(sum, coefficient(SamplerStep.C0), load(clean + o, mask));
            for (int k = 0; k < history.length; k++) {
                sum = term(sum, coefficient(SamplerStep.H + k), load(history[k] + at + o, mask));
            }
            if (noise != 0) {
                FloatVector random = load(z + at + o, mask).mul(noise);
                sum = sum.add(spread(random, model + (long) size * Float.BYTES + o, mask));
            }
            if (push) {
                FloatVector entry = FloatVector.zero(SPECIES);
                entry = term(entry, coefficient(SamplerStep.EX), old);
                entry = term(entry, coefficient(SamplerStep.EM), load(model + o, mask));
                entry = term(entry, coefficient(SamplerStep.E0), load(clean + o, mask));
                for (int k = history.length - 1; k > 0; k--) {
                    store(history[k] + at + o, load(history[k - 1] + at + o, mask), mask);
                }
                store(history[0] + at + o, entry, mask);
            }
            store(x + at + o, sum, mask);
            if (x0Out != 0) {
                store(x0Out + at + o, load(clean + o, mask), mask);
            }
        }
    }

    /** The length of a step of Langevin dynamics; every worker finds it again, rather than wait for another. */
    private float langevin() {
        double noises = 0;
        double outputs = 0;
        for (int n = 0; n < samples; n++) {
            noises += norm(z + (long) n * size * Float.BYTES);
            outputs += norm(m + (long) n * modelSize * Float.BYTES);
        }
        double ratio = coefficient(SamplerStep.VAR_MIN) * noises / outputs;
        return (float) (2 * ratio * ratio);
    }

    private double norm(long from) {
        double squares = 0;
        for (int i = 0; i < size; i++) {
            float value = get(from + 4L * i);
            squares += value * value;
        }
        return Math.sqrt(squares);
    }

    private static FloatVector term(FloatVector sum, float factor, FloatVector value) {
        return factor == 0 ? sum : value.fma(FloatVector.broadcast(SPECIES, factor), sum);
    }

    private void predict(long clean, long sample, long model) {
        float px = coefficient(SamplerStep.PX);
        float pm = coefficient(SamplerStep.PM);
        boolean dynamic = coefficient(SamplerStep.THRESHOLD_RATIO) > 0;
        float min = dynamic ? Float.NEGATIVE_INFINITY : coefficient(SamplerStep.CLIP_MIN);
        float max = dynamic ? Float.POSITIVE_INFINITY : coefficient(SamplerStep.CLIP_MAX);
        for (int i = 0; i < size; i += LANES) {
            VectorMask<Float> mask = Reductions.mask(size - i);
            FloatVector value = term(FloatVector.zero(SPECIES), px, load(sample + 4L * i, mask));
            value = term(value, pm, load(model + 4L * i, mask));
            store(clean + 4L * i, value.max(min).min(max), mask);
        }
    }

    private void threshold(long clean) {
        float[] magnitudes = new float[size];
        for (int i = 0; i < size; i++) {
            magnitudes[i] = Math.abs(get(clean + 4L * i));
        }
        Arrays.sort(magnitudes);
        float position = coefficient(SamplerStep.THRESHOLD_RATIO) * (size - 1);
        int below = (int) position;
        float lower = magnitudes[below];
        float upper = magnitudes[Math.min(below + 1, size - 1)];
        float q = lower + (upper - lower) * (position - below);
        q = Math.min(Math.max(q, 1), coefficient(SamplerStep.THRESHOLD_MAX));
        for (int i = 0; i < size; i += LANES) {
            VectorMask<Float> mask = Reductions.mask(size - i);
            store(clean + 4L * i, load(clean + 4L * i, mask).max(-q).min(q).div(q), mask);
        }
    }

    /** Multiplies noise by the learned standard deviation. */
    private FloatVector spread(FloatVector random, long variance, VectorMask<Float> mask) {
        int kind = (int) coefficient(SamplerStep.VARIANCE);
        if (kind == 0 || kind == 3) {
            return random;
        }
        FloatVector v = load(variance, mask);
        if (kind == 1) {
            return random.mul(v.sqrt());
        }
        float min = coefficient(SamplerStep.VAR_MIN);
        float range = coefficient(SamplerStep.VAR_MAX) - min;
        FloatVector fraction = v.add(1f).mul(0.5f);
        return random.mul(Memory.exp(fraction.mul(range).add(min).mul(0.5f)));
    }
}
