package diffusion.tornado;

import diffusion.backend.BackendException;
import java.util.ArrayList;
import java.util.List;
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
        TornadoRuntime runtime = runtime();
        String wanted = System.getProperty(PROPERTY);
        if (wanted == null) {
            return runtime.getDefaultDevice();
        }
        String[] parts = wanted.split(":", -1);
        try {
            return runtime.getBackend(Integer.parseInt(parts[0])).getDevice(Integer.parseInt(parts[1]));
        } catch (RuntimeException e) {
            throw new BackendException(
                    "--device: expected backend:device that TornadoVM has, such as 0:0, found \"%s\"; 'info' lists them"
                            .formatted(wanted),
                    e);
        }
    }

    private static TornadoRuntime runtime() {
        try {
            return TornadoRuntimeProvider.getTornadoRuntime();
        } catch (RuntimeException | LinkageError e) {
            Throwable reason = e.getCause() == null ? e : e.getCause();
            throw new BackendException(
                    "TornadoVM found no device (%s); install a driver for it (OpenCL, PTX or CUDA, as TornadoVM was installed for) and check with 'tornado --devices', or use --backend cpu"
                            .formatted(String.valueOf(reason.getMessage())
                                    .replaceAll("\\e\\[[\\d;]*m|\\[WARNING\\] ", "")),
                    e);
        }
    }

    /** All devices, as the user names them. */
    static List<String> list() {
        List<String> lines = new ArrayList<>();
        TornadoRuntime runtime = runtime();
        for (int i = 0; i < runtime.getNumBackends(); i++) {
            for (int j = 0; j < runtime.getBackend(i).getNumDevices(); j++) {
                lines.add(i + ":" + j + " " + describe(runtime.getBackend(i).getDevice(j)));
            }
        }
        return lines;
    }

    static String describe(TornadoDevice device) {
        return "%s %s (%s), %.1f GiB"
                .formatted(
                        device.getDeviceType().toString().toLowerCase(Locale.ROOT),
                        device.getDescription().replaceAll(" CL_DEVICE_TYPE.*", ""),
                        device.getTornadoVMBackend(),
                        device.getMaxGlobalMemory() / 0x1p30);
    }
}
