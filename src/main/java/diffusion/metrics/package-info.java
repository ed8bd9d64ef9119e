/** How good generated pictures are. */
@NullMarked
package diffusion.metrics;

import org.jspecify.annotations.NullMarked;
