/*
 * Swap and download folders, as preferences of PixInsight. "text" stands before this: the folders,
 * as JSON. The answer is the file that is named after the script: the console goes nowhere.
 */
function setFolders() {
   var wanted = JSON.parse( text );
   var preferences = new Preferences;
   preferences.ImageWindow_swapDirectories = wanted.swap.map(
      function ( folder ) { return [folder]; }
   );
   preferences.ImageWindow_downloadsDirectory = wanted.downloads;
   if ( !preferences.executeGlobal() )
      throw new Error( "PixInsight did not take its preferences" );
   return text;
}

var answer;
try {
   answer = setFolders();
} catch ( why ) {
   answer = "failed: " + why;
}
File.writeTextFile( jsArguments[0], answer );
