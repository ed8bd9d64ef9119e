package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.reference.ReferenceBackend;

class ReferenceSamplingParityTest extends SamplingParity {
    @Override
    protected Backend backend() {
        return new ReferenceBackend();
    }
}
