package diffusion.tornado;

import diffusion.io.DiffusionException;
import java.util.Locale;
import uk.ac.manchester.tornado.api.TornadoRuntime;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.runtime.TornadoRuntimeProvider;

/** The devices TornadoVM found. */
final class Devices {
    /** The system property with the wanted device. */
    static final String PROPERTY = "diffusion.device";

    static {
        // TornadoVM reads these once. Its own bound on device memory is too low for models; ours follows the device.
        // Its default compiler flags assume that there are neither infinities nor NaN.
        setDefault("tornado.device.memory", "1000GB");
        setDefault("tornado.opencl.compiler.flags", "-cl-mad-enable -w");
        setDefault("tornado.tvm.maxbytecodesize", "262144");
        // Else a kernel that does not compile would run on the host, on data that is not there.
        setDefault("tornado.recover.bailout", "False");
    }

    private Devices() {}

    private static void setDefault(String key, String value) {
        if (System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }

    static TornadoDevice chosen() {
        TornadoRuntime runtime;
        try {
            runtime = TornadoRuntimeProvider.getTornadoRuntime();
        } catch (RuntimeException | LinkageError e) {
            throw new DiffusionException(
                    "TornadoVM does not start (" + e + "); start java with @$TORNADOVM_HOME/tornado-argfile", e);
        }
        String wanted = System.getProperty(PROPERTY);
        if (wanted == null) {
            return runtime.getDefaultDevice();
        }
        String[] parts = wanted.split(":", -1);
        try {
            return runtime.getBackend(Integer.parseInt(parts[0])).getDevice(Integer.parseInt(parts[1]));
        } catch (RuntimeException e) {
            throw new DiffusionException(
                    "expected a device as backend:device that TornadoVM has, such as 0:0, found \"%s\"; `info` lists them"
                            .formatted(wanted),
                    e);
        }
    }

    static String describe(TornadoDevice device) {
        return "%s on %s, %s, %.1f GiB"
                .formatted(
                        device.getDeviceType().toString().toLowerCase(Locale.ROOT),
                        device.getDescription(),
                        device.getTornadoVMBackend(),
                        device.getMaxGlobalMemory() / 0x1p30);
    }
}
