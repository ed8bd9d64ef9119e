/** The naive backend that defines what every op means. */
@NullMarked
package diffusion.backend.reference;

import org.jspecify.annotations.NullMarked;
