package diffusion.cli;

import diffusion.backend.BackendException;
import diffusion.io.DiffusionException;
import java.io.PrintWriter;
import java.util.Map;
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
    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--verbose",
            scope = ScopeType.INHERIT,
            description = "Print stack traces of errors, and where the time went.")
    private boolean verbose;

    private Main() {}

    /** Runs one command line; returns 0 ok, 1 failure, 2 usage. */
    public static int run(String... args) {
        Main main = new Main();
        return commandLine(main)
                .setParameterExceptionHandler((e, _) -> usage(e))
                .setExecutionExceptionHandler((e, line, _) -> failure(e, line, main.verbose))
                .execute(args);
    }

    /** Whether a command can be told a backend, or, as info, looks at all of them. */
    static boolean computes(String command) {
        CommandLine line = commandLine(new Main()).getSubcommands().get(command);
        if (line == null) {
            return false;
        }
        Map<String, ?> options = line.getCommandSpec().optionsMap();
        return options.containsKey("--backend")
                || options.containsKey("--backends")
                || line.getCommand() instanceof InfoCommand;
    }

    private static CommandLine commandLine(Main main) {
        return new CommandLine(main)
                .addSubcommand(new SampleCommand())
                .addSubcommand(new Img2ImgCommand())
                .addSubcommand(new InpaintCommand())
                .addSubcommand(new StylizeCommand())
                .addSubcommand(new InterpolateCommand())
                .addSubcommand(new PullCommand())
                .addSubcommand(new ConvertCommand())
                .addSubcommand(new TrainCommand())
                .addSubcommand(new DenoiseCommand())
                .addSubcommand(new UpscaleCommand())
                .addSubcommand(new CascadeCommand())
                .addSubcommand(new EvaluateCommand())
                .addSubcommand(new CompareCommand())
                .addSubcommand(new BenchCommand())
                .addSubcommand(new InfoCommand())
                .addSubcommand(new ToyCommand())
                .setCaseInsensitiveEnumValuesAllowed(true);
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    boolean isVerbose() {
        return verbose;
    }

    private static int usage(ParameterException e) {
        CommandLine line = e.getCommandLine();
        line.getErr()
                .println("diffusion: " + e.getMessage() + "; see '"
                        + line.getCommandSpec().qualifiedName() + " --help'");
        return 2;
    }

    private static int failure(Exception e, CommandLine line, boolean verbose) {
        PrintWriter err = line.getErr();
        err.println("diffusion: " + describe(e));
        if (verbose) {
            e.printStackTrace(err);
        }
        err.flush();
        return e instanceof UsageException || e instanceof BackendException ? 2 : 1;
    }

    private static String describe(Exception e) {
        String message = e.getMessage();
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
