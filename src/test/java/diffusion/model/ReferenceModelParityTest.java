package diffusion.model;

import diffusion.backend.Backend;
import diffusion.backend.reference.ReferenceBackend;

class ReferenceModelParityTest extends ModelParity {
    @Override
    protected Backend backend() {
        return new ReferenceBackend();
    }
}
