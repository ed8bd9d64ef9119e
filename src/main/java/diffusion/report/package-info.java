/** Comparisons of backends: how far they are apart ({@code compare}) and how fast they are ({@code bench}). */
@NullMarked
package diffusion.report;

import org.jspecify.annotations.NullMarked;
