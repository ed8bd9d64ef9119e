package diffusion.scheduler;

import diffusion.backend.reference.ReferenceBackend;

/** The published rows by the reference backend's op. */
class ReferencePublishedRowsTest extends PublishedRows {
    @Override
    protected Stepper stepper(int samples, int elements, int historySize) {
        return new BackendStepper(new ReferenceBackend(), samples, elements, historySize);
    }
}
