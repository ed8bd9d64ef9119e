package diffusion.cli;

import java.util.Collection;
import picocli.CommandLine.Model.CommandSpec;

/** What was said on the command line rather than left at a default: an option that a run would pass over is refused. */
final class GivenOptions {
    private GivenOptions() {}

    static boolean has(CommandSpec command, String option) {
        return command.commandLine().getParseResult().hasMatchedOption(option);
    }

    /** Throws if one of the options was given; {@code why} says what they go with, and what was found. */
    static void refuse(CommandSpec command, Collection<String> options, String why) {
        for (String option : options) {
            if (has(command, option)) {
                throw new Main.UsageException(option + ": " + why);
            }
        }
    }
}
