package diffusion.cpu;

import diffusion.scheduler.BackendStepper;
import diffusion.scheduler.PublishedRows;

class CpuPublishedRowsTest extends PublishedRows {
    private final CpuBackend backend = new CpuBackend(2);

    @Override
    protected Stepper stepper(int samples, int elements, int historySize) {
        return new BackendStepper(backend, samples, elements, historySize);
    }
}
