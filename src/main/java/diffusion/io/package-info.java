/** Files: safetensors, JSON, pictures, atomic writes. */
@NullMarked
package diffusion.io;

import org.jspecify.annotations.NullMarked;
