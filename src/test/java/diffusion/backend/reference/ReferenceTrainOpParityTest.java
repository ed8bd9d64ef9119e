package diffusion.backend.reference;

import diffusion.backend.Backend;
import diffusion.backend.TrainOpParity;

class ReferenceTrainOpParityTest extends TrainOpParity {
    @Override
    protected Backend backend() {
        return new ReferenceBackend();
    }
}
