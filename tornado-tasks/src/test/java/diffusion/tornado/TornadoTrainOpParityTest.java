package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.backend.TrainOpParity;

class TornadoTrainOpParityTest extends TrainOpParity {
    private final Backend backend = new TornadoBackend();

    @Override
    protected Backend backend() {
        return backend;
    }
}
