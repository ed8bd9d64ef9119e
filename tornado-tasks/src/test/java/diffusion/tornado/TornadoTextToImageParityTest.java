package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.pipeline.TextToImageParity;
import java.util.List;

class TornadoTextToImageParityTest extends TextToImageParity {
    private final Backend backend = new TornadoBackend();

    @Override
    protected Backend backend() {
        return backend;
    }

    /** One, because a device's compiler takes its time. */
    @Override
    protected List<String> runs() {
        return List.of("sd DPM++2M_karras");
    }

    @Override
    protected List<String> refined() {
        return List.of("Euler");
    }
}
