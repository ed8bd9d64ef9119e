package diffusion.metrics;

import diffusion.backend.Backend;
import diffusion.backend.reference.ReferenceBackend;

class ReferenceInceptionTest extends InceptionParity {
    @Override
    protected Backend backend() {
        return new ReferenceBackend();
    }
}
