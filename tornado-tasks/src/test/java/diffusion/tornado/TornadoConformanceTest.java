package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.backend.BackendConformance;

class TornadoConformanceTest extends BackendConformance {
    private final Backend backend = new TornadoBackend();

    @Override
    protected Backend backend() {
        return backend;
    }
}
