/** Models as diffusers defines them, built from nn layers. */
@NullMarked
package diffusion.model;

import org.jspecify.annotations.NullMarked;
