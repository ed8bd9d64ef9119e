package diffusion.cli;

import diffusion.backend.Backend;
import java.util.Set;

/** What a command that makes pictures begins with while its options and its model are still being read. */
final class EarlyStart {
    private static final Set<String> COMMANDS =
            Set.of("sample", "img2img", "inpaint", "interpolate", "denoise", "upscale", "stylize", "cascade");

    private EarlyStart() {}

    /** Has the CPU backend warm up, if the command looks as if it would compute on it. */
    static void begin(String... args) {
        if (args.length > 0 && COMMANDS.contains(args[0]) && !TornadoHome.running()) {
            Backends.find().named("cpu").ifPresent(Backend::warmUp);
        }
    }
}
