package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.metrics.InceptionParity;

class CpuInceptionTest extends InceptionParity {
    @Override
    protected Backend backend() {
        return new CpuBackend(2);
    }
}
