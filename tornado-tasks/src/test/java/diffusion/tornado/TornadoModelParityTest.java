package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.model.ModelParity;
import java.util.List;

class TornadoModelParityTest extends ModelParity {
    private final Backend backend = new TornadoBackend();

    @Override
    protected Backend backend() {
        return backend;
    }

    /** Few, because a device's compiler takes its time; all of them passed once, in nine minutes on PoCL. */
    @Override
    protected List<String> configurations() {
        return List.of("attention_heads", "scale_shift_groups", "resnet_resampling", "fourier");
    }
}
