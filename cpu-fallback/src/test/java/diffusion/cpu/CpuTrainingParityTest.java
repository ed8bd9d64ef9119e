package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.train.TrainingParity;

class CpuTrainingParityTest extends TrainingParity {
    @Override
    protected Backend backend() {
        return new CpuBackend(2);
    }
}
