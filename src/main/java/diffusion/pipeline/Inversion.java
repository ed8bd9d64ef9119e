package diffusion.pipeline;

import diffusion.io.DiffusionException;
import diffusion.scheduler.DDIMInverseScheduler;
import diffusion.scheduler.PredictionType;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerFactory;
import java.util.ArrayList;
import java.util.List;

/** The way back from pictures to the noise they could come from (Song et al. 2021, section 4.3), and between two noises. */
public final class Inversion {
    /** Beyond this cosine two directions are taken for one, as in diffusers' slerp. */
    private static final double PARALLEL = 0.9995;

    private Inversion() {}

    /** DDIM over the noise schedule of a sampler, without clipping, which no way leads back from. */
    public static Scheduler sampler(Scheduler chosen) {
        return SchedulerFactory.create(SchedulerFactory.configFor("ddim", chosen.config())
                .with("clip_sample", false)
                .with("thresholding", false));
    }

    /** The steps of such a sampler backwards, planned. */
    static Scheduler backwards(Scheduler sampler, int steps) {
        if (sampler.predictionType() == PredictionType.SAMPLE) {
            throw new DiffusionException(
                    "--invert: expected a model that predicts epsilon or v, found one that predicts"
                            + " the sample, which says nothing about the noise of a clean picture");
        }
        Scheduler inverse = new DDIMInverseScheduler(SchedulerFactory.configFor("ddim_inverse", sampler.config()));
        inverse.setTimesteps(steps);
        return inverse;
    }

    /** The noises that the runs of two seeds start with. */
    static List<float[]> noises(Edit.Between seeds, RandomSource.Kind rng, int elements, double sigma) {
        List<float[]> ends = new ArrayList<>();
        for (long seed : List.of(seeds.first(), seeds.last())) {
            float[] noise = SamplingLoop.draw(List.of(RandomSource.of(rng, seed)), elements);
            for (int i = 0; i < elements; i++) {
                noise[i] *= (float) sigma;
            }
            ends.add(noise);
        }
        return ends;
    }

    /** Where each of {@code count} pictures starts: at the one end, or evenly spread from the first end to the second. */
    static List<float[]> starts(List<float[]> ends, int count) {
        List<float[]> starts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            double t = count == 1 ? 0 : i / (count - 1.0);
            starts.add(slerp(ends.getFirst(), ends.getLast(), t));
        }
        return starts;
    }

    /**
     * Spherical interpolation (Shoemake 1985): {@code sin((1 - t) w) / sin w * a + sin(t w) / sin w * b}, w being the angle
     * between a and b; straight where they are parallel.
     *
     * @param t 0 for a, 1 for b
     */
    static float[] slerp(float[] a, float[] b, double t) {
        double aa = 0;
        double bb = 0;
        double ab = 0;
        for (int i = 0; i < a.length; i++) {
            aa += a[i] * (double) a[i];
            bb += b[i] * (double) b[i];
            ab += a[i] * (double) b[i];
        }
        double cosine = ab / Math.sqrt(aa * bb);
        boolean straight = !(Math.abs(cosine) <= PARALLEL); // also where one of them is zero
        double angle = straight ? 0 : Math.acos(cosine);
        double ofA = straight ? 1 - t : Math.sin((1 - t) * angle) / Math.sin(angle);
        double ofB = straight ? t : Math.sin(t * angle) / Math.sin(angle);
        float[] between = new float[a.length];
        for (int i = 0; i < a.length; i++) {
            between[i] = (float) (ofA * a[i] + ofB * b[i]);
        }
        return between;
    }
}
