package diffusion.cpu;

import diffusion.backend.Backend;
import diffusion.model.Golden;
import diffusion.model.ModelParity;
import org.junit.jupiter.api.Test;

class CpuModelParityTest extends ModelParity {
    @Override
    protected Backend backend() {
        return new CpuBackend(2);
    }

    /** The configuration of google/ddpm-cifar10-32, 36 million weights. */
    @Test
    void ddpmCifar10Agrees() {
        Golden golden = Golden.read("unet_ddpm_cifar10");
        for (int t : new int[] {10, 999}) {
            float[] output = run(golden, new float[] {t});
            Golden.assertClose("t = " + t, output, golden.floats("output_" + t), 2e-5);
        }
    }
}
