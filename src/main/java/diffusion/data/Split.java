package diffusion.data;

import java.util.Locale;

/** Which part of a data set. */
public enum Split {
    TRAIN,
    TEST;

    String folder() {
        return name().toLowerCase(Locale.ROOT);
    }
}
