package diffusion.backend;

import diffusion.io.DiffusionException;

/** A backend cannot work here: it has no device, or the device has too little memory; the command line exits with 2. */
public final class BackendException extends DiffusionException {
    private static final long serialVersionUID = 1L;

    /** A failure with its one-line message. */
    public BackendException(String message) {
        super(message);
    }

    /** A failure with its one-line message and the exception behind it. */
    public BackendException(String message, Throwable cause) {
        super(message, cause);
    }
}
