package diffusion.pipeline;

import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.RePaintScheduler;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Inpainting with resampling (Lugmayr et al. 2022, algorithm 1): after each step what is kept is put back with the step's own
 * noise, and at times the sample is noised again; the loop of diffusers' RePaintPipeline. All arrays are [N, C, H, W].
 *
 * @param mask 1 where the sample is made anew, 0 where the picture is kept
 */
record RePaintCourse(
        RePaintScheduler scheduler, List<? extends RandomSource> generators, float[] start, float[] image, float[] mask)
        implements SamplingLoop.Course {
    @Override
    public float @Nullable [] after(int i, Supplier<float[]> sample, float @Nullable [] drawn) {
        NoiseSchedule.Mix mix = scheduler.kept(i);
        float[] kept = EditCourse.mix(mix, image, Objects.requireNonNull(drawn));
        float[] x = EditCourse.blend(mask, sample.get(), kept);
        for (float beta : scheduler.undo(i)) {
            float[] z = SamplingLoop.draw(generators, x.length / generators.size());
            x = EditCourse.mix(new NoiseSchedule.Mix((float) Math.sqrt(1 - beta), (float) Math.sqrt(beta)), x, z);
        }
        return x;
    }
}
