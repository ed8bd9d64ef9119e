package diffusion.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that choose where a command computes. */
final class BackendOptions {
    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = "auto",
            description = "auto, cpu, tornado or reference (default: ${DEFAULT-VALUE}); auto is TornadoVM if its"
                    + " device is a GPU, else the CPU.")
    @SuppressWarnings("NullAway.Init")
    private String backend;

    @Option(
            names = "--device",
            paramLabel = "B:D",
            description = "TornadoVM's device, such as 0:0; 'info' lists them (default: TornadoVM's own).")
    private @Nullable String device;

    Backends.Choice choose() {
        useDevice(device);
        return Backends.choose(backend);
    }

    /** Makes TornadoVM, which reads it when it starts, use a device. */
    static void useDevice(@Nullable String device) {
        if (device == null) {
            return;
        }
        if (!device.matches("\\d+:\\d+")) {
            throw new Main.UsageException("--device: expected backend:device, such as 0:0, found \"" + device + "\"");
        }
        System.setProperty(Backends.DEVICE, device);
    }
}
