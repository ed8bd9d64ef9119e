package diffusion.io;

/**
 * A failure the user can act on: one line that says what was found, what was expected and what to do.
 *
 * <p>The command line prints the message alone; a stack trace appears only with {@code --verbose}.
 */
public class DiffusionException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** A failure with its one-line message. */
    public DiffusionException(String message) {
        super(message);
    }

    /** A failure with its one-line message and the exception behind it. */
    public DiffusionException(String message, Throwable cause) {
        super(message, cause);
    }
}
