package diffusion.cli;

/** Entry point of {@code diffusion.jar}. */
public final class Launcher {
    private Launcher() {}

    /** Starts the command line. */
    public static void main(String[] args) {
        System.exit(0);
    }
}
