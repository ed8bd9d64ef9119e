package diffusion.tornado;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import java.util.List;
import java.util.Optional;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoDeviceType;

/** Computes graphs on a device of TornadoVM, which compiles the kernels of this package to OpenCL, PTX or CUDA. */
public final class TornadoBackend implements Backend {
    private final TornadoDevice device;

    /** The device that the system property {@code diffusion.device} names (backend:device, as "0:1"), else TornadoVM's own. */
    public TornadoBackend() {
        this(Devices.chosen());
    }

    TornadoBackend(TornadoDevice device) {
        this.device = device;
    }

    @Override
    public String name() {
        return "tornado";
    }

    @Override
    public String description() {
        return "TornadoVM, " + Devices.describe(device);
    }

    @Override
    public List<String> devices() {
        return Devices.list();
    }

    /** A GPU is preferred to the CPU backend, another device is not. */
    @Override
    public int priority() {
        return device.getDeviceType() == TornadoDeviceType.GPU ? 20 : 5;
    }

    @Override
    public Optional<Peak> peak() {
        return Optional.of(PeakKernels.measure(device));
    }

    @Override
    public Program compile(List<Graph> graphs) {
        return new TornadoProgram(device, graphs);
    }
}
