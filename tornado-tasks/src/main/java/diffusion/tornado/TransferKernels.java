package diffusion.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Moves values between {@code mem}, which stays on the device, and small stages that travel. */
final class TransferKernels {
    private TransferKernels() {}

    /** The stretch of {@code mem} that begins at span[0] and has span[1] floats = the stage; parallel over elements. */
    static void upload(FloatArray mem, FloatArray stage, IntArray span, int capacity) {
        for (@Parallel int i = 0; i < capacity; i++) {
            if (i < span.get(1)) {
                mem.set(span.get(0) + i, stage.get(i));
            }
        }
    }

    /** The stage = the stretch of {@code mem} that begins at span[0] and has span[1] floats; parallel over elements. */
    static void download(FloatArray mem, FloatArray stage, IntArray span, int capacity) {
        for (@Parallel int i = 0; i < capacity; i++) {
            if (i < span.get(1)) {
                stage.set(i, mem.get(span.get(0) + i));
            }
        }
    }
}
