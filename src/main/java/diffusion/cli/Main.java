package diffusion.cli;

import diffusion.backend.BackendException;
import diffusion.io.DiffusionException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command {@code diffusion} and its subcommands. */
@Command(
        name = "diffusion",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        description = "Diffusion models in pure Java: sample, train, evaluate.",
        synopsisSubcommandLabel = "COMMAND")
public final class Main implements Runnable {
    /** The subcommands in the order of the help. */
    private static final Map<String, Supplier<Object>> COMMANDS = commands();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--verbose",
            scope = ScopeType.INHERIT,
            description = "Print stack traces of errors, and where the time went.")
    private boolean verbose;

    Main() {}

    /** Runs one command line; returns 0 ok, 1 failure, 2 usage. */
    public static int run(String... args) {
        Main main = new Main();
        return run(commandLine(main, args), main, args);
    }

    /** Runs a command line; what it throws becomes one line and an exit status. */
    static int run(CommandLine whole, Main main, String... args) {
        try {
            return whole.setParameterExceptionHandler((e, _) -> usage(e))
                    .setExecutionExceptionHandler((e, line, _) -> failure(e, line, main.verbose))
                    .execute(args);
        } catch (OutOfMemoryError | StackOverflowError e) { // picocli hands on exceptions alone
            return failure(e, whole, main.verbose);
        }
    }

    private static Map<String, Supplier<Object>> commands() {
        Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
        commands.put("sample", SampleCommand::new);
        commands.put("img2img", Img2ImgCommand::new);
        commands.put("inpaint", InpaintCommand::new);
        commands.put("stylize", StylizeCommand::new);
        commands.put("interpolate", InterpolateCommand::new);
        commands.put("pull", PullCommand::new);
        commands.put("convert", ConvertCommand::new);
        commands.put("train", TrainCommand::new);
        commands.put("denoise", DenoiseCommand::new);
        commands.put("upscale", UpscaleCommand::new);
        commands.put("cascade", CascadeCommand::new);
        commands.put("evaluate", EvaluateCommand::new);
        commands.put("compare", CompareCommand::new);
        commands.put("bench", BenchCommand::new);
        commands.put("info", InfoCommand::new);
        commands.put("toy", ToyCommand::new);
        return commands;
    }

    /** Whether a command can be told a backend, or, as info, looks at all of them. */
    static boolean computes(String command) {
        CommandLine line = commandLine(new Main(), command).getSubcommands().get(command);
        if (line == null) {
            return false;
        }
        Map<String, ?> options = line.getCommandSpec().optionsMap();
        return options.containsKey("--backend")
                || options.containsKey("--backends")
                || line.getCommand() instanceof InfoCommand;
    }

    /** Of the subcommands only the one that is called, if it is there: building them all takes a tenth of a second. */
    private static CommandLine commandLine(Main main, String... args) {
        CommandLine line = new CommandLine(main);
        String first = args.length == 0 ? "" : args[0];
        COMMANDS.forEach((name, command) -> {
            if (name.equals(first) || !COMMANDS.containsKey(first)) {
                line.addSubcommand(name, command.get());
            }
        });
        return line.setCaseInsensitiveEnumValuesAllowed(true);
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    boolean isVerbose() {
        return verbose;
    }

    static int usage(ParameterException e) {
        CommandLine line = e.getCommandLine();
        line.getErr()
                .println("diffusion: " + e.getMessage() + "; see '"
                        + line.getCommandSpec().qualifiedName() + " --help'");
        return 2;
    }

    private static int failure(Throwable e, CommandLine line, boolean verbose) {
        PrintWriter err = line.getErr();
        err.println("diffusion: " + describe(e));
        if (verbose) {
            e.printStackTrace(err);
        }
        err.flush();
        return e instanceof UsageException || e instanceof BackendException ? 2 : 1;
    }

    private static String describe(Throwable e) {
        String message = e.getMessage();
        if (e instanceof OutOfMemoryError) {
            return "out of memory (" + (message == null ? "no more is known" : message.strip())
                    + "): smaller or fewer pictures together, as by --batch 1, take less;"
                    + " JDK_JAVA_OPTIONS=-Xmx8g gives Java more of what the machine has";
        }
        if (e instanceof DiffusionException && message != null) {
            return message;
        }
        return e.getClass().getSimpleName()
                + (message == null ? "" : ": " + message.lines().findFirst().orElse(""))
                + "; run again with --verbose for the details";
    }

    /** A choice on the command line that names something that does not exist; exit status 2. */
    static final class UsageException extends DiffusionException {
        private static final long serialVersionUID = 1L;

        UsageException(String message) {
            super(message);
        }
    }

    /** The version written into the jar. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"diffusion " + (version == null ? "(development build)" : version)};
        }
    }
}
