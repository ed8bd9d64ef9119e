package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.backend.TrainOpParity;

class CpuTrainOpParityTest extends TrainOpParity {
    @Override
    protected Backend backend() {
        return new CpuBackend(2);
    }
}
