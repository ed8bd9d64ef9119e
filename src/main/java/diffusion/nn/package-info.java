/** Layers: they record ops and own parameters, named as checkpoints name them. */
@NullMarked
package diffusion.nn;

import org.jspecify.annotations.NullMarked;
