package diffusion.pipeline;

import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.Scheduler;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A run that starts from a picture with noise; under a mask, what is to be kept is put back after every step, as noisy as
 * the sample is by then. All arrays are [N, C, H, W].
 *
 * @param start the sample before the first step
 * @param image the picture itself
 * @param noise the noise it is given
 * @param mask 1 where the sample is made anew, 0 where the picture is kept; null for anew everywhere
 */
record EditCourse(Scheduler scheduler, int begin, float[] start, float[] image, float[] noise, float @Nullable [] mask)
        implements SamplingLoop.Course {

    /** A run over the planned steps from a picture, or from noise alone if the strength is 1 and it has a mask. */
    static EditCourse begin(
            Scheduler scheduler, int begin, boolean fromNoise, float[] image, float[] noise, float @Nullable [] mask) {
        scheduler.setBeginIndex(begin);
        float[] start = fromNoise
                ? mix(new NoiseSchedule.Mix(0, (float) scheduler.initNoiseSigma()), image, noise)
                : noised(scheduler, begin, image, noise);
        return new EditCourse(scheduler, begin, start, image, noise, mask);
    }

    /** The picture with as much noise as the state before step {@code i} has. */
    static float[] noised(Scheduler scheduler, int i, float[] image, float[] noise) {
        return mix(scheduler.addNoise(i), image, noise);
    }

    static float[] mix(NoiseSchedule.Mix mix, float[] image, float[] noise) {
        float[] mixed = new float[image.length];
        for (int k = 0; k < mixed.length; k++) {
            mixed[k] = mix.sample() * image[k] + mix.noise() * noise[k];
        }
        return mixed;
    }

    @Override
    public float @Nullable [] after(int i, Supplier<float[]> sample, float @Nullable [] drawn) {
        if (mask == null) {
            return null;
        }
        boolean last = i + 1 == scheduler.timesteps().length;
        return blend(mask, sample.get(), last ? image : noised(scheduler, i + 1, image, noise));
    }

    /** {@code mask * made + (1 - mask) * kept}, in place of {@code made}. */
    static float[] blend(float[] mask, float[] made, float[] kept) {
        for (int k = 0; k < made.length; k++) {
            made[k] = mask[k] == 0 ? kept[k] : mask[k] == 1 ? made[k] : mask[k] * made[k] + (1 - mask[k]) * kept[k];
        }
        return made;
    }
}
