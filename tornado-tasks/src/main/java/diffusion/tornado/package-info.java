/** The TornadoVM backend. */
@NullMarked
package diffusion.tornado;

import org.jspecify.annotations.NullMarked;
