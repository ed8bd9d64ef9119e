package diffusion.train;

import diffusion.backend.Backend;
import diffusion.backend.reference.ReferenceBackend;

class ReferenceTrainingParityTest extends TrainingParity {
    @Override
    protected Backend backend() {
        return new ReferenceBackend();
    }
}
