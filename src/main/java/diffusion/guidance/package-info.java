/** Functions of pictures that sampling can be led by. */
@NullMarked
package diffusion.guidance;

import org.jspecify.annotations.NullMarked;
