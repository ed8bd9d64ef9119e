/** Training loops, losses, optimisers and checkpoints. */
@NullMarked
package diffusion.train;

import org.jspecify.annotations.NullMarked;
