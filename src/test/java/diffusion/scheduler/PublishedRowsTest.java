package diffusion.scheduler;

import java.util.ArrayList;
import java.util.List;

/** The published rows by the host's mathematics in double. */
class PublishedRowsTest extends PublishedRows {
    @Override
    protected Stepper stepper(int samples, int elements, int historySize) {
        List<double[]> history = new ArrayList<>();
        return (step, x, m, z) -> step.apply(x, m, z, history, samples);
    }
}
