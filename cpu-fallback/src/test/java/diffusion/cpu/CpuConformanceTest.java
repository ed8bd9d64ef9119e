package diffusion.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.backend.Backend;
import diffusion.backend.BackendConformance;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

class CpuConformanceTest extends BackendConformance {
    private final CpuBackend backend = new CpuBackend(2);

    @Override
    protected Backend backend() {
        return backend;
    }

    @Test
    void isFoundAsAService() {
        assertThat(ServiceLoader.load(Backend.class).stream().map(p -> p.get().name()))
                .contains("cpu", "reference");
    }
}
