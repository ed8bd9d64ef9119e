package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.train.TrainingParity;

class TornadoTrainingParityTest extends TrainingParity {
    private final Backend backend = new TornadoBackend();

    @Override
    protected Backend backend() {
        return backend;
    }
}
