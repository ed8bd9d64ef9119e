/** Data sets and augmentation. */
@NullMarked
package diffusion.data;

import org.jspecify.annotations.NullMarked;
