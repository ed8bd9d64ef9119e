package diffusion.model;

import diffusion.backend.Backend;
import diffusion.backend.reference.ReferenceBackend;

class ReferenceLatentModelParityTest extends LatentModelParity {
    @Override
    protected Backend backend() {
        return new ReferenceBackend();
    }
}
